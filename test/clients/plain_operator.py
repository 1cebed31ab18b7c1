"""An operator of a robot, in another language and by other hands: paho and cryptography, as Debian has them.

Written from docs/asyncapi.yaml alone. It reads orders from stdin, one JSON object a line, and answers each with one line.
"""

import argparse
import base64
import hashlib
import json
import queue
import sys
import threading
import time
import uuid

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives import serialization
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PATIENCE = 20


class Key:
    """An ed25519 private key, and how a robot calls it."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.private = serialization.load_pem_private_key(file.read(), password=None)
        raw = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.id = hashlib.sha256(raw).hexdigest()[:16]

    def envelope(self, text):
        signature = self.private.sign(b"h2o-edge command v1\0" + text.encode("utf-8"))
        return {"payload": text, "keyId": self.id, "signature": base64.b64encode(signature).decode("ascii")}


class Robot:
    def __init__(self, host, port, name, key):
        self.name, self.key = name, key
        self.states, self.events, self.telemetry = [], [], []
        self.changed = threading.Condition()
        self.answers = {}
        self.beating = None
        self.me = uuid.uuid4().hex
        arguments = [self.me]
        # paho 2 wants to be told whose callbacks these are.
        if hasattr(mqtt, "CallbackAPIVersion"):
            arguments.insert(0, mqtt.CallbackAPIVersion.VERSION2)
        self.client = mqtt.Client(*arguments, protocol=mqtt.MQTTv5)
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message
        self.ready = threading.Event()
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.connect(host, port)
        self.client.loop_start()
        if not self.ready.wait(PATIENCE):
            raise TimeoutError("the broker does not answer")

    def topic(self, path):
        return f"h2o/v1/{self.name}/{path}"

    @property
    def response_topic(self):
        return self.topic(f"command/response/{self.me}")

    def on_connect(self, client, *_):
        topics = [self.topic("state"), self.topic("event"), self.topic("telemetry"), self.response_topic]
        client.subscribe([(topic, mqtt.SubscribeOptions(qos=1)) for topic in topics])

    def on_message(self, _client, _data, message):
        said = json.loads(message.payload)
        with self.changed:
            if message.topic == self.topic("state"):
                self.states.append(said)
            elif message.topic == self.topic("event"):
                self.events.append(said)
            elif message.topic == self.topic("telemetry"):
                self.telemetry.append(said)
            else:
                waiting = self.answers.get(message.properties.CorrelationData)
                if waiting:
                    waiting.put(said)
            self.changed.notify_all()

    def until(self, what, is_so):
        with self.changed:
            if not self.changed.wait_for(is_so, PATIENCE):
                raise TimeoutError(f"never came true: {what}")

    def ask(self, path, body):
        correlation = uuid.uuid4().bytes
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = self.response_topic
        properties.CorrelationData = correlation
        properties.MessageExpiryInterval = 5
        self.answers[correlation] = queue.Queue()
        self.client.publish(self.topic(path), json.dumps(body), qos=1, properties=properties)
        try:
            return self.answers[correlation].get(timeout=PATIENCE)
        finally:
            del self.answers[correlation]

    def command(self, command):
        challenged = self.ask("challenge", {})
        if not challenged["ok"]:
            return challenged
        said = {
            "robot": self.name,
            "challenge": challenged["challenge"],
            "counter": int(time.time() * 1000),
            "command": command,
        }
        return self.ask("command", {"id": 1, "envelope": self.key.envelope(json.dumps(said))})

    def estop(self, source):
        stop = uuid.uuid4().hex
        self.client.publish(self.topic("estop"), json.dumps({"source": source, "id": stop}), qos=1)

        def stages():
            mine = [event for event in self.events if event["event"] == "estop-stage" and stop in event["ids"]]
            return sorted(event["stage"] for event in mine)

        self.until("the stop is confirmed", lambda: len(stages()) == 3)
        return {"ok": True, "stages": stages()}

    def beat(self, session):
        """Sends heartbeats until the connection or this program ends, or another session begins."""
        self.beating = session

        def beats():
            counter = 0
            while self.beating == session:
                counter += 1
                self.client.publish(self.topic("heartbeat"), json.dumps({"session": session, "counter": counter}), qos=0)
                time.sleep(0.05)

        threading.Thread(target=beats, daemon=True).start()

    def move(self, mode):
        session = uuid.uuid4().hex
        answer = self.command({"name": "mode", "mode": mode, "session": session})
        if answer["ok"]:
            self.beat(session)
        return answer

    def follow(self, count):
        """That many telemetry messages from now on."""
        with self.changed:
            begin = len(self.telemetry)
        self.until("telemetry comes", lambda: len(self.telemetry) >= begin + count)
        return {"ok": True, "telemetry": self.telemetry[begin:]}

    def state(self):
        self.until("a state has come", lambda: len(self.states) > 0)
        return {"ok": True, "state": self.states[-1]}

    def obey(self, order):
        what = order["do"]
        if what == "state":
            return self.state()
        if what == "follow":
            return self.follow(order["count"])
        if what == "estop":
            return self.estop("python")
        if what == "command":
            return self.command(order["command"])
        if what == "move":
            return self.move(order["mode"])
        if what == "disarm":
            return self.ask("command", {"id": "disarm", "request": "disarm"})
        if what == "quiet":
            self.beating = None
            return {"ok": True}
        raise ValueError(f"no such order: {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--robot", required=True)
    parser.add_argument("--key", required=True)
    words = parser.parse_args()
    robot = Robot(words.host, words.port, words.robot, Key(words.key))
    for line in sys.stdin:
        try:
            answer = robot.obey(json.loads(line))
        except TimeoutError as error:
            answer = {"ok": False, "refusal": {"code": "timeout", "message": str(error)}}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
