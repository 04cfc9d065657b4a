"""What flows between the stages: msgspec structs only. No I/O, no clock, nothing imported but msgspec.

Anybody may import this package: it needs neither Kafka, Postgres nor any stage of Frontdesk.
"""
