"""A local exchange that speaks the venue's wire protocol.

Its one law: nothing here may import the signer, the decoder or the engine's book. It does everything with
code of its own, or it would only confirm our mistakes.

    listing   which markets exist            (values)
    ladder    resting levels of one market   (values)
    floor     one market: actions -> frames  (pure)
    crowd     simulated traders of one event (pure, seeded)
    generator the whole market side          (pure, seeded; time comes in)
    faults    recordings gone wrong          (pure)
    session   one client's subscriptions     (pure)
    gamma     the listing as the venue's JSON
    recording what a client of it would have written down
    server    sockets and HTTP around it     (the only room that waits)
"""
