"""The site: derivations, claims and errata as pages that need no network and no script (`refdgm pages DIR`)."""
