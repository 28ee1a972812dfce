"""The claims of the ledger live as long as the tests: to look through them again and again for garbage takes minutes."""
import gc

gc.set_threshold(50_000, 20, 50)
