"""Where does it go? Pure decisions over recorded facts, written in one transaction a batch."""
