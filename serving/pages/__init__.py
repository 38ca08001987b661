"""What does a customer-success manager read? Pages made from the score ledger, never from a model."""
