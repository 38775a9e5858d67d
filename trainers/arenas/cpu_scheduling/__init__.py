"""CPU scheduling: the tasks form, its machine, classics, oracle, bound, generated loads and recordings."""
