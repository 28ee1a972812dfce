"""Tables and figures: what is run, with which settings, and what is written. How learning works is in `learning`."""
