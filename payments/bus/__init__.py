"""The event bus: every event, for other programs. Redis Streams or NATS JetStream, chosen by `EVENT_BUS_URL`."""
