"""Who may ask what, and who did? Keys, scopes, the rule for every address, and the trail of what was asked."""
