"""What outlives the process: orders, fills, accounts, bots, the journal."""
