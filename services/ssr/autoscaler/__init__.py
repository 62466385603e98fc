"""The autoscaler: what the parts report to each other in Redis, the loop that decides, who runs it, and who obeys.

services --reports--> board (Redis) --> loop: ssr.autoscaler.policy --> actuator (Kubernetes, KEDA, processes)
orchestrators --outlooks--^                |
                                           v
                          decisions on the board (the next leader's memory, KEDA's numbers)
"""
