"""The acceptance programme: does the product keep its promises on made-up companies whose truth is known?

Run as ``python -m tests.acceptance`` (hours of CPU), never by pytest: only the small pure parts have tests.
"""
