"""What did we know about each account, on each date?

Raw tables of a vendor go in; one row of features per account and ``as_of`` date comes out, built only
from what was available by then.
"""
