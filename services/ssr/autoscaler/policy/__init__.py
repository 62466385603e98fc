"""How many engine replicas each pool needs. Pure: no I/O, and time is an argument.

    reports, queue --> signals, forecast --> demand (in engine slots) --> policy --> replicas and the reasons for them
                                             schedule ---------------------^

All times are seconds of one clock since the epoch (the one that Redis reports, say).
"""
