"""What an answer says: from LaTeX, Unicode or words to forms that can be compared by value."""
