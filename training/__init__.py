"""Which model may we trust, and until when?

Feature rows and outcomes go in; a judged, registered model comes out.
"""
