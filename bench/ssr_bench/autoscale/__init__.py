"""A day of load on the whole system while engine replicas come and go: the policy, side by side with what others do.

    day --> load --> orchestrator, services --> engines of a fleet (simulated, start-up delay)
                          |  reports (Redis)          ^
                          v                           | starts and stops replicas
                     scaler: ours, a queue-length HPA, or none

Everything runs `pace.factor` times as fast as the day that it stands for: loads, engines, start-up, the policy's times.
What is reported is in seconds of that day, unless its name says `real`.
"""
