"""The contracts: what a function of each name must do, room by room. `refdgm crosscheck --list` shows them."""
