"""The nodes' side of mqtt-hub: search, share, validate.

::

    trainer.py    the loop of a searching node       validator.py  the loop of a judging node
      study.py    one workload's search                bench.py    verdicts from trials
      collaboration.py  asking and helping
    node/         connection, presence, inbox        mailroom.py, courier.py, outbox.py   nothing sent is lost
    library.py    workloads that came over MQTT
    policy/       the component language             arenas/   one folder a component kind
    trials/       the tests a component must pass    yardstick.py  what it is compared with
    search/       variation, population, patterns    workloads/   import, record, file format
"""
