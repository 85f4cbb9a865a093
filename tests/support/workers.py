"""Workers that misbehave, for tests and chaos."""

from distcari.cluster.worker import Worker


class OneBroken(Worker):
    """worker-1 raises for every cell after the first `GOOD`, as a process does after an error of CUDA's; the others are
    well. `SAYS`: whether a look at its device finds it out."""

    GOOD, SAYS = 0, False

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        render, self.rendered = self.renderer, 0

        def broken(*given, **named):
            self.rendered += 1
            if self.name == "worker-1" and self.rendered > self.GOOD:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            return render(*given, **named)

        self.renderer = broken

    def trouble(self, error=None):
        """What looking at the device says."""
        return "the device does not work" if error is not None and self.SAYS else ""


class BrokenLater(OneBroken):
    """After ten cells."""

    GOOD = 10


class BrokenAndSaysSo(BrokenLater):
    """After ten cells, and the device itself does not answer any more."""

    SAYS = True


class AllBroken(OneBroken):
    """Of no use, whoever it is."""

    def trouble(self, error=None):
        """What looking at the device says."""
        return "the card is full: others hold 70 of 80 GiB" if error is not None else ""

    def __init__(self, *args, **more):
        super().__init__(*args, **more | {"name": "worker-1"})


class OnFakeCards(Worker):
    """Takes the GPU that a Ray of the tests says it has for a processor, and its name for the card's."""

    def __init__(self, *args, device, **more):
        super().__init__(*args, device="cpu" if device == "gpu" else device, **more)

    def card(self):
        """The card that Ray gave it, and the share of it."""
        import ray

        return f"gpu {','.join(ray.get_runtime_context().get_accelerator_ids()['GPU'])} of {self.share:g}"


class OfAnotherMind(Worker):
    """Each worker decides otherwise than the one before: worker-1 for bfloat16, worker-2 for float32 …."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        from distcari.render import network

        odd = int(self.name.rpartition("-")[2]) % 2
        network.decide = lambda *_: "bfloat16" if odd else "float32"
