"""A local exchange that speaks the venue's wire protocol.

Its one law: nothing here may import the signer, the decoder or the engine's book. It does everything with
code of its own, or it would only confirm our mistakes.

The market side, simulated:

    listing       which markets exist                        (values)
    ladder        resting levels of one market               (values)
    lines         who waits at a price, and in which order   (values)
    floor         one market: actions -> frames              (pure)
    crowd         simulated traders of one event             (pure, seeded)
    generator     the whole market side                      (pure, seeded; time comes in)
    recording     what a client of it would have written down
    faults        recordings gone wrong                      (pure)

The venue, for users' orders:

    signatures    order hashes and who signed them           (eth-account)
    keys          API keys, L1 and L2                        (pure)
    orders        from payload to order                      (values)
    matching      what a trade moves between whom            (pure)
    deals         one match as the trades that settle it     (pure)
    settlement    trades between the match and the chain     (pure)
    accounts      who owns how much                          (pure)
    doors         modes, rate limits, heartbeats             (pure)
    contracts     calls to the contracts, and who signed them (values)
    chain         the gasless relayer and what it executes   (pure; time comes in)
    venue         the exchange itself                        (pure; time comes in)
    refusal       how the venue says no                      (values)

At the border:

    gamma, reading, user_wire, wire   the venue's JSON
    desk          every HTTP request the CLOB answers        (sans I/O)
    session, user_session             one client of a channel (sans I/O)
    mischief, post                    live faults            (seeded)
    sockets, server                   sockets and HTTP       (the only rooms that wait)
"""
