"""What was found out, as a verdict, words and tables."""
