"""The autoscaler: what the parts report to each other in Redis, the loop that decides, who runs it, and who obeys.

services --reports--> Redis -->  loop: ssr.autoscaler.policy --> actuator (Kubernetes, KEDA, processes)
orchestrators --workloads--^              |
                                           v
                          decisions in Redis (the next leader's memory, KEDA's numbers)
"""
