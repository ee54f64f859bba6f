"""Studies: arms × tasks × seeds of rehearsals, and what they come to."""
