"""Attachments that stay at their provider: noted when their message is taken, fetched and archived afterwards."""
