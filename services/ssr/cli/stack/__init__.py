"""The whole system on this machine, in one command: what runs, starting it, keeping it up, ending it.

async with running_stack(Preset.SIMULATED) as stack:
    async with AsyncClient(stack.address) as client: ...
"""

from ssr.cli.stack.presets import Preset
from ssr.cli.stack.stack import RunningPart, Stack, running_stack

__all__ = ["Preset", "RunningPart", "Stack", "running_stack"]
