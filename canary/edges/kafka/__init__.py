"""Kafka as a stage: one topic with its alternates and dead letters, read without a group or a commit."""

from canary.edges.kafka.audit import TopicAudit
from canary.edges.kafka.describing import TopicDescriber
from canary.edges.kafka.ends import TopicEnds
from canary.edges.kafka.sampling import SampledTopic
from canary.edges.kafka.security import Sasl, Tls
from canary.edges.kafka.stage import KafkaStage, Settings
from canary.edges.kafka.tracing import TopicTracer

__all__ = [
    "KafkaStage",
    "SampledTopic",
    "Sasl",
    "Settings",
    "Tls",
    "TopicAudit",
    "TopicDescriber",
    "TopicEnds",
    "TopicTracer",
]
