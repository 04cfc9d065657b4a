"""Real servers from packages of the lock file: Apache Kafka on a JRE, and Postgres. Nothing to install first.

Each keeps its data in one folder, keeps its port, survives SIGKILL and ends with the process that started it.
"""

from frontdesk.embedded.kafka import EmbeddedKafka
from frontdesk.embedded.postgres import EmbeddedPostgres
from frontdesk.embedded.process import EmbeddedError, die_with_parent, free_port

__all__ = ["EmbeddedError", "EmbeddedKafka", "EmbeddedPostgres", "die_with_parent", "free_port"]
