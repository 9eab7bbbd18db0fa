"""Muon for the matrices inside the blocks, AdamW for everything else, behind one step()."""
import torch


@torch.no_grad()
def orthogonalize(gradient, steps=5):
    """Nearest orthogonal matrices of a batch [n, rows, cols] by Newton-Schulz iteration (coefficients of Jordan et al., 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradient.bfloat16() if gradient.shape[-1] > 64 else gradient
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class MuonAdamW:
    """Weights of one shape are stacked, so that each Newton-Schulz step is one batched product.

    adam_params are groups, each with a gain of its own over adam_lr.
    """

    def __init__(self, muon_params, adam_params, muon_lr, adam_lr, momentum=0.95, weight_decay=0.01):
        self.adam = torch.optim.AdamW(adam_params, lr=adam_lr, betas=(0.9, 0.98), weight_decay=weight_decay * 0.1)
        self.groups = {}
        for p in muon_params:
            self.groups.setdefault((p.shape[0], p[0].numel()), []).append(p)
        self.buf = {shape: torch.zeros(len(ps), *shape) for shape, ps in self.groups.items()}
        self.muon_lr, self.adam_lr = muon_lr, adam_lr
        self.momentum, self.weight_decay = momentum, weight_decay

    @torch.no_grad()
    def step(self, scale):
        """One update with both learning rates multiplied by scale."""
        for g in self.adam.param_groups:
            g["lr"] = self.adam_lr * scale * g["gain"]
        self.adam.step()
        lr = self.muon_lr * scale
        for shape, params in self.groups.items():
            grad = torch.stack([p.grad.reshape(shape) for p in params])
            buf = self.buf[shape]
            buf.lerp_(grad, 1 - self.momentum)
            update = orthogonalize(grad.lerp_(buf, self.momentum))
            gain = max(1.0, shape[0] / shape[1]) ** 0.5
            for p, d in zip(params, update):
                p.mul_(1 - lr * self.weight_decay).add_(d.reshape(p.shape), alpha=-lr * gain)

    def zero_grad(self):
        self.adam.zero_grad(set_to_none=True)
        for params in self.groups.values():
            for p in params:
                p.grad = None

    def state_dict(self):
        return dict(adam=self.adam.state_dict(), buf=self.buf)

    def load_state_dict(self, state):
        self.adam.load_state_dict(state["adam"])
        self.buf = state["buf"]


@torch.no_grad()
def update_ema(ema, module, decay):
    """Moves the averaged state dict towards the module's present weights."""
    now = module.state_dict()
    pairs = [(e, now[k]) for k, e in ema.items() if e.is_floating_point()]
    torch._foreach_lerp_([e for e, _ in pairs], [p for _, p in pairs], 1 - decay)
