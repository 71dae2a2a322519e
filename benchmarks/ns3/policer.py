"""A download through a policer in ns-3, for `benchmarks/cross_checks.py`: prints its goodput in bits per second.

ns-3's token bucket with a queue of one packet drops what has no tokens, as a policer does. Run by an interpreter that
has the package ``ns3`` (PyPI):

    python benchmarks/ns3/policer.py RATE_BPS BURST_BYTES LINK_BPS DELAY_MS SIZE_BYTES VARIANT
"""

from __future__ import annotations

import sys

from ns import ns

STEP_S, LONGEST_S = 0.05, 600.0
START_S = 0.1


def main() -> None:
    """Download once, and print the goodput."""
    rate, burst, link, delay_ms, size = map(int, sys.argv[1:6])
    for name, value in (
        ("ns3::TcpSocket::SegmentSize", ns.UintegerValue(1448)),
        ("ns3::TcpSocket::InitialCwnd", ns.UintegerValue(10)),
        ("ns3::TcpL4Protocol::SocketType", ns.StringValue(f"ns3::{sys.argv[6]}")),
    ):
        ns.Config.SetDefault(name, value)
    nodes = ns.NodeContainer()
    nodes.Create(2)
    link_helper = ns.PointToPointHelper()
    link_helper.SetDeviceAttribute("DataRate", ns.StringValue(f"{link}bps"))
    link_helper.SetChannelAttribute("Delay", ns.StringValue(f"{delay_ms}ms"))
    devices = link_helper.Install(nodes)
    ns.InternetStackHelper().Install(nodes)
    control = ns.TrafficControlHelper()
    control.SetRootQueueDisc(
        "ns3::TbfQueueDisc", "Burst", ns.UintegerValue(burst), "Mtu", ns.UintegerValue(0),
        "Rate", ns.DataRateValue(ns.DataRate(f"{rate}bps")), "MaxSize", ns.QueueSizeValue(ns.QueueSize("1p")),
    )  # fmt: skip
    control.Install(devices.Get(0))
    addresses = ns.Ipv4AddressHelper()
    addresses.SetBase(ns.Ipv4Address("10.1.1.0"), ns.Ipv4Mask("255.255.255.0"))
    interfaces = addresses.Assign(devices)
    anywhere = ns.InetSocketAddress(ns.Ipv4Address.GetAny(), 80).ConvertTo()
    sinks = ns.PacketSinkHelper("ns3::TcpSocketFactory", anywhere).Install(nodes.Get(1))
    there = ns.InetSocketAddress(interfaces.GetAddress(1), 80).ConvertTo()
    sender = ns.BulkSendHelper("ns3::TcpSocketFactory", there)
    sender.SetAttribute("MaxBytes", ns.UintegerValue(size))
    sender.Install(nodes.Get(0)).Start(ns.Seconds(START_S))
    sink = sinks.Get(0).GetObject[ns.PacketSink]()
    while sink.GetTotalRx() < size and ns.Simulator.Now().GetSeconds() < LONGEST_S:
        ns.Simulator.Stop(ns.Seconds(STEP_S))
        ns.Simulator.Run()
    print(sink.GetTotalRx() * 8 / (ns.Simulator.Now().GetSeconds() - START_S))


if __name__ == "__main__":
    main()
