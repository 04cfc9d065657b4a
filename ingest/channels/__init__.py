"""One file a channel: verify and normalise, pure. Found by `ingest.channel.channels()`."""
