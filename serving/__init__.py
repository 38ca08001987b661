"""Which accounts need a person today, and why?

A champion model and today's features go in; scores, points per subcategory and pages come out.
"""
