"""BM25 whose postings stay on the disk: built in a stated memory, searched where they lie."""
