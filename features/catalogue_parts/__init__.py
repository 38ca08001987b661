"""The features, one module per subcategory; `features.catalogue` is the door to all of them."""
