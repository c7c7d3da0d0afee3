"""The parts of the HTTP retriever: connections, choice of a server, reading of replies."""
