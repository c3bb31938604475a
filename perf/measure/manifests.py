# SPDX-License-Identifier: Apache-2.0
"""Manifests of the measured gateway: one Dataplane, and services of every forwarding mode."""
import ipaddress
import os

BACKENDS_V4 = [str(ipaddress.IPv4Address("10.1.0.11") + i) for i in range(16)]
BACKENDS_V6 = [str(ipaddress.IPv6Address("fd00:1::11") + i) for i in range(16)]

VIP = {
    "fullnat": "10.1.0.100", "dnat": "10.1.0.101", "ipip": "10.1.0.102", "gue": "10.1.0.103", "l2": "10.1.0.104",
    "new": "10.1.0.105", "fullnat6": "fd00:1::100",
}
MODE = {"fullnat": "FullNAT", "dnat": "DNAT", "ipip": "DSR-IPIP", "gue": "DSR-GUE", "l2": "DSR-L2", "new": "FullNAT",
        "fullnat6": "FullNAT"}


def dataplane(socket, worker_cpu, main_cpu, flows_v4, flows_v6, services=1024, descriptors=1024):
    return f"""apiVersion: penstock.dev/v1alpha1
kind: Dataplane
metadata: {{name: bench}}
spec:
  instance: bench-{os.getpid()}
  ports:
  - name: net0
    memif: {{socket: {socket}, role: server}}
    trustChecksums: true
    mtu: 1500
    addresses: [10.1.0.1/24, "fd00:1::1/64"]
  routes:
  - {{to: 0.0.0.0/0, via: 10.1.0.2}}
  - {{to: "::/0", via: "fd00:1::2"}}
  cores: {{main: {main_cpu}, workers: ["{worker_cpu}"]}}
  memory: {{hugepages: require}}
  descriptors: {{rx: {descriptors}, tx: {descriptors}}}
  idle: poll
  tables:
    flowsIPv4: {flows_v4}
    flowsIPv6: {flows_v6}
    services: {services}
    endpoints: {max(1024, 4 * services)}
  snatPools:
  - name: default
    addresses: [10.1.0.200-10.1.0.207, "fd00:1::200-fd00:1::203"]
  health: {{check: none}}
  adminAddress: none
"""


def service(name, vip, mode="FullNAT", ipv6=False, protocol=None, extra=""):
    ports = "".join(f"  - {{name: {p.lower()}, port: 80, protocol: {p}}}\n" for p in (protocol or ["TCP", "UDP"]))
    return f"""apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: bench
  annotations:
    penstock.dev/forwarding-mode: {mode}
{extra}spec:
  ipFamilies: [{"IPv6" if ipv6 else "IPv4"}]
  externalIPs: ["{vip}"]
  ports:
{ports}"""


def endpoint_slice(name, addresses, ipv6=False, protocol=None):
    endpoints = "".join(f"- {{addresses: [\"{a}\"], conditions: {{ready: true}}}}\n" for a in addresses)
    ports = "".join(f"- {{name: {p.lower()}, port: 80, protocol: {p}}}\n" for p in (protocol or ["TCP", "UDP"]))
    return f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-1
  namespace: bench
  labels: {{kubernetes.io/service-name: {name}}}
addressType: {"IPv6" if ipv6 else "IPv4"}
endpoints:
{endpoints}ports:
{ports}"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def write_gateway(directory, dataplane_text):
    write(os.path.join(directory, "00-dataplane.yaml"), dataplane_text)
    for name, vip in VIP.items():
        ipv6 = ":" in vip
        extra = "    penstock.dev/udp-idle-timeout: 1s\n" if name == "new" else ""
        write(os.path.join(directory, f"10-{name}.yaml"),
              service(name, vip, MODE[name], ipv6, extra=extra) + "---\n" +
              endpoint_slice(name, BACKENDS_V6 if ipv6 else BACKENDS_V4, ipv6))


def write_many(directory, count, backends=4):
    """count services with a slice each, in files of their own as tools that mirror a cluster write them."""
    first = ipaddress.IPv4Address("10.32.0.1")
    for i in range(count):
        name = f"svc-{i:05d}"
        addresses = [str(ipaddress.IPv4Address("10.64.0.1") + i * backends + k) for k in range(backends)]
        write(os.path.join(directory, f"{name}.yaml"), service(name, str(first + i), protocol=["UDP"],
              extra="    penstock.dev/udp-idle-timeout: 1s\n"))
        write(os.path.join(directory, f"{name}-slice.yaml"), endpoint_slice(name, addresses, protocol=["UDP"]))
    return str(first)
