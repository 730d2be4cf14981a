"""The shapes of answers, as clients read them, where the answering actor builds them of plain mappings."""
