"""The networks, with the published layers and state-dict keys (torch only)."""

from lipsync_core.models.lipsync_expert import LipSyncExpert
from lipsync_core.models.syncnet import SyncNet
from lipsync_core.models.wav2lip import Wav2Lip

__all__ = ["LipSyncExpert", "SyncNet", "Wav2Lip"]
