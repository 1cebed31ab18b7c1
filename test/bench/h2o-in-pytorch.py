"""One training step of H2O in ordinary eager PyTorch: what the traced step is measured against, by `bench training`.

    h2o-in-pytorch.py time OBSERVATION ACTION HIDDEN D_HIDDEN BATCH D_BATCH STEPS ROUNDS
        CPU of a step with batches and noise drawn, on one thread, as JSON
    h2o-in-pytorch.py check FILE
        greatest errors against the golden numbers of a file of test/fixtures/vectors: metrics relative, weights absolute

Written from the equations, which src/learning/algorithms/h2o.ts states, with what PyTorch offers for each: modules, one
torch.optim.Adam for each network, backward(). The log ratio is the logit gap of D_sas alone, as in the traced step; the
authors evaluate both discriminators.
"""
import copy
import gzip
import json
import math
import os
import sys
import time

# torch.set_num_threads leaves OpenBLAS's own threads alone, which wait in a loop and would count as its work.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

DISCOUNT, TAU, LR = 0.99, 0.005, 3e-4
BETA, SAMPLES, U_CEILING, U_FLOOR = 0.01, 10, 10.0, 1e-45
W_CLIP, PENALTY_CLIP, NOISE_STD = (1e-5, 1.0), (-1000.0, 1000.0), 0.1


def dense(sizes):
    layers = []
    for width, following in zip(sizes, sizes[1:]):
        layers += [nn.Linear(width, following), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Policy(nn.Module):
    def __init__(self, observation, action, hidden):
        super().__init__()
        self.net = dense([observation, *hidden, 2 * action])
        self.multiplier = nn.Parameter(torch.tensor(1.0))
        self.offset = nn.Parameter(torch.tensor(-1.0))

    def forward(self, s, epsilon):
        mean, raw = self.net(s).chunk(2, dim=-1)
        log_std = (self.multiplier * raw + self.offset).clamp(-20, 2)
        x = mean + log_std.exp() * epsilon
        log_normal = -0.5 * epsilon**2 - log_std - 0.5 * math.log(2 * math.pi)
        log_jacobian = 2 * (math.log(2) - x - F.softplus(-2 * x))
        return torch.tanh(x), (log_normal - log_jacobian).sum(-1)


class Agent:
    def __init__(self, observation, action, hidden, d_hidden):
        self.policy = Policy(observation, action, hidden)
        self.q1, self.q2 = (dense([observation + action, *hidden, 1]) for _ in range(2))
        self.target_q1, self.target_q2 = copy.deepcopy(self.q1), copy.deepcopy(self.q2)
        self.d_sa = dense([observation + action, *d_hidden, 2])
        self.d_sas = dense([2 * observation + action, *d_hidden, 2])
        self.log_alpha = nn.Parameter(torch.tensor(0.0))
        self.target_entropy = -float(action)

        def adam(*parameters):
            return torch.optim.Adam(parameters, lr=LR)

        self.adam_policy = adam(*self.policy.parameters())
        self.adam_q = adam(*self.q1.parameters(), *self.q2.parameters())
        self.adam_alpha = adam(self.log_alpha)
        self.adam_d_sa = adam(*self.d_sa.parameters())
        self.adam_d_sas = adam(*self.d_sas.parameters())

    def logits_sa(self, s, a):
        return 2 * torch.tanh(self.d_sa(torch.cat([s, a], -1)))

    def logits_sas(self, s, a, s_next):
        return 2 * torch.tanh(self.d_sas(torch.cat([s, a, s_next], -1)))


def q_of(net, s, a):
    return net(torch.cat([s, a], -1)).squeeze(-1)


def learn_discriminators(agent, real, sim, noise):
    def losses(batch, unit, label):
        s, a, s_next = (batch[key] + NOISE_STD * unit[key] for key in ("s", "a", "sNext"))
        logits = agent.logits_sa(s, a)
        both = agent.logits_sas(s, a, s_next) + logits
        labels = torch.full((len(s),), label)
        return F.cross_entropy(logits, labels), F.cross_entropy(both, labels)

    (sa_real, sas_real), (sa_sim, sas_sim) = losses(real, noise["real"], 0), losses(sim, noise["sim"], 1)
    loss_sa, loss_sas = sa_real + sa_sim, sas_real + sas_sim
    agent.adam_d_sa.zero_grad()
    agent.adam_d_sas.zero_grad()
    (loss_sa + loss_sas).backward()
    agent.adam_d_sa.step()
    agent.adam_d_sas.step()
    return loss_sa, loss_sas


def log_sim_to_real(agent, s, a, s_next):
    g = agent.logits_sas(s, a, s_next)
    return g[:, 1] - g[:, 0]


def step(agent, batches, noise, sigma):
    """One step. @return its metrics, by the authors' names; tensors, so that nothing is waited for"""
    real, sim = batches["real"], batches["sim"]
    loss_sa, loss_sas = learn_discriminators(agent, batches["dReal"], batches["dSim"], noise["d"])

    s = torch.cat([real["s"], sim["s"]])
    new_action, log_pi = agent.policy(s, noise["epsMixed"])
    alpha = agent.log_alpha.exp().detach()
    alpha_loss = -(agent.log_alpha * (log_pi.detach() + agent.target_entropy)).mean()
    q_new = torch.minimum(q_of(agent.q1, s, new_action), q_of(agent.q2, s, new_action))
    policy_loss = (alpha * log_pi - q_new).mean()

    with torch.no_grad():

        def target(batch, epsilon):
            next_action, _ = agent.policy(batch["sNext"], epsilon)
            next_q = torch.minimum(
                q_of(agent.target_q1, batch["sNext"], next_action), q_of(agent.target_q2, batch["sNext"], next_action)
            )
            return batch["r"] + DISCOUNT * (1 - batch["done"]) * next_q, next_q

        (y_real, next_real), (y_sim, next_sim) = target(real, noise["epsRealNext"]), target(sim, noise["epsSimNext"])
        w = torch.exp(-log_sim_to_real(agent, sim["s"], sim["a"], sim["sNext"])).clamp(*W_CLIP)
        near = [sim[key].repeat_interleave(SAMPLES, 0) for key in ("s", "a", "sNext")]
        near[2] = near[2] + sigma * noise["sPrime"]
        u = log_sim_to_real(agent, *near).view(-1, SAMPLES).mean(-1).clamp(U_FLOOR, U_CEILING)
        log_omega = torch.log(u / u.sum())

    metrics = {}
    q_loss = 0.0
    for name, net in (("qf1", agent.q1), ("qf2", agent.q2)):
        q_real, q_sim = q_of(net, real["s"], real["a"]), q_of(net, sim["s"], sim["a"])
        error_real, error_sim = F.mse_loss(q_real, y_real), (w * (q_sim - y_sim) ** 2).mean()
        penalty = BETA * (torch.logsumexp(q_sim + log_omega, 0) - q_real.mean()).clamp(*PENALTY_CLIP)
        q_loss = q_loss + error_real + error_sim + penalty
        metrics |= {
            f"real_{name}_loss": error_real,
            f"sim_{name}_loss": error_sim,
            f"cql/cql_min_{name}_loss": penalty,
            f"average_real_{name}": q_real.mean(),
            f"average_sim_{name}": q_sim.mean(),
        }

    for optimiser, loss in (
        (agent.adam_alpha, alpha_loss),
        (agent.adam_policy, policy_loss),
        (agent.adam_q, q_loss),
    ):
        optimiser.zero_grad()
        parameters = [one for group in optimiser.param_groups for one in group["params"]]
        loss.backward(inputs=parameters)
    for optimiser in (agent.adam_alpha, agent.adam_policy, agent.adam_q):
        optimiser.step()
    with torch.no_grad():
        for net, target_net in ((agent.q1, agent.target_q1), (agent.q2, agent.target_q2)):
            for new, old in zip(net.parameters(), target_net.parameters()):
                old.lerp_(new, TAU)

    return metrics | {
        "log_pi": log_pi.mean(),
        "policy_loss": policy_loss,
        "alpha_loss": alpha_loss,
        "alpha": alpha,
        "dsa_train_loss": loss_sa,
        "dsas_train_loss": loss_sas,
        "average_real_target_q": next_real.mean(),
        "average_sim_target_q": next_sim.mean(),
        "cql/u_sa": u.mean(),
    }


def discriminator_noise(draw):
    return {
        kind: {key: draw(f"d{kind.capitalize()}{key[0].upper()}{key[1:]}", key) for key in ("s", "a", "sNext")}
        for kind in ("real", "sim")
    }


def timed(observation, action, hidden, d_hidden, batch, d_batch, steps, rounds):
    torch.manual_seed(1)
    agent = Agent(observation, action, [hidden] * 2, [d_hidden] * 2)
    rows = 5000

    def memory():
        s = torch.randn(rows, observation)
        s_next = s + 0.1 * torch.randn(rows, observation)
        a, r = torch.rand(rows, action) * 2 - 1, 10 + torch.randn(rows)
        return {"s": s, "a": a, "r": r, "sNext": s_next, "done": torch.zeros(rows)}

    real, sim = memory(), memory()
    sigma = real["s"].std(0)

    def drawn(source, count):
        picked = torch.randint(0, rows, (count,))
        return {key: values[picked] for key, values in source.items()}

    def once():
        batches = {
            "real": drawn(real, batch),
            "sim": drawn(sim, batch),
            "dReal": drawn(real, d_batch),
            "dSim": drawn(sim, d_batch),
        }
        noise = {
            "d": discriminator_noise(lambda _, key: torch.randn(d_batch, action if key == "a" else observation)),
            "epsMixed": torch.randn(2 * batch, action),
            "epsRealNext": torch.randn(batch, action),
            "epsSimNext": torch.randn(batch, action),
            "sPrime": torch.randn(batch * SAMPLES, observation),
        }
        return step(agent, batches, noise, sigma)

    for _ in range(math.ceil(steps / 4)):
        once()
    cpu, wall = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        for _ in range(steps):
            once()
        cpu.append((time.process_time() - used) * 1000 / steps)
        wall.append((time.perf_counter() - began) * 1000 / steps)

    def median(values):
        return sorted(values)[len(values) // 2]

    return {"cpuMsPerStep": median(cpu), "wallMsPerStep": median(wall)}


def loaded(case):
    """The agent of a file of golden numbers."""

    def widths(network):
        return [len(case["init"][network][f"b{layer}"]["data"]) for layer in range(2)]

    agent = Agent(case["dims"]["obs"], case["dims"]["act"], widths("policy"), widths("dSa"))
    with torch.no_grad():
        for ours, numbers in weights_beside(agent, case["init"]):
            ours.copy_(numbers)
    return agent


def weights_beside(agent, networks):
    """Each parameter of ours beside the numbers that a file has for it."""
    modules = {
        "policy": agent.policy.net,
        "qf1": agent.q1,
        "qf2": agent.q2,
        "targetQf1": agent.target_q1,
        "targetQf2": agent.target_q2,
        "dSa": agent.d_sa,
        "dSas": agent.d_sas,
    }
    for name, arrays in networks.items():
        if name == "logAlpha":
            yield agent.log_alpha, torch.tensor(arrays)
            continue
        for layer, linear in enumerate(one for one in modules[name] if isinstance(one, nn.Linear)):
            yield linear.weight, tensor(arrays[f"W{layer}"])
            yield linear.bias, tensor(arrays[f"b{layer}"])
        if name == "policy":
            yield agent.policy.multiplier, torch.tensor(arrays["logStdMultiplier"])
            yield agent.policy.offset, torch.tensor(arrays["logStdOffset"])


def tensor(array):
    return torch.tensor([float(one) for one in array["data"]]).view(array["shape"])


def checked(file):
    with gzip.open(file) as unpacked:
        case = json.load(unpacked)
    agent = loaded(case)
    of_metrics, of_weights, weights = 0.0, 0.0, 0
    for inputs, expected in zip(case["inputs"], case["expected"]["float32"]):
        batches = {
            name: {key: tensor(array) for key, array in fields.items()} for name, fields in inputs["batches"].items()
        }
        noise = {name: tensor(array) for name, array in inputs["noise"].items()}
        noise["d"] = discriminator_noise(lambda name, _: noise[name])
        metrics = step(agent, batches, noise, tensor(case["sigma"]))
        for name, value in metrics.items():
            wanted = expected["metrics"][name]
            of_metrics = worse(of_metrics, abs(value.item() - wanted) / (1 + abs(wanted)))
        for ours, wanted in weights_beside(agent, expected.get("weights", {})):
            of_weights = worse(of_weights, (ours - wanted).abs().max().item())
            weights += wanted.numel()
    steps = len(case["inputs"])
    return {"case": case["case"], "steps": steps, "metrics": of_metrics, "weights": of_weights, "weightsSeen": weights}


def worse(so_far, error):
    """The greater one; an error that is no number is the worst of all."""
    return so_far if error <= so_far else error


def main(mode, *arguments):
    torch.set_num_threads(1)
    print(json.dumps(checked(*arguments) if mode == "check" else timed(*map(int, arguments))))


main(*sys.argv[1:])
