"""Table 2: do people see who it is? Pairs drawn, shown on a page that needs no server, and answers collected."""
