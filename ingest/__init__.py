"""Channels in: doors (I/O) around pure channels. A door transcribes; it decides nothing."""
