"""The claims of the ledger live as long as the tests: to look through them for garbage again and again takes long."""
import gc

gc.set_threshold(50_000, 20, 50)
