"""How users of other libraries would do the work of the cases of `refdgm bench`: one problem, one file."""
