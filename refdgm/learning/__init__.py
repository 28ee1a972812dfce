"""The documents' algorithms as they learn: each file plugs its draws and its F into `refdgm.fit`."""
