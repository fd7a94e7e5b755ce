"""The networks, with the published layers and state-dict keys (torch only)."""

from lipsync_core.models.lipgan import LipGANDiscriminator, LipGANGenerator
from lipsync_core.models.lipsync_expert import LipSyncExpert
from lipsync_core.models.speech2vid import Speech2Vid
from lipsync_core.models.syncnet import SyncNet
from lipsync_core.models.visual_quality import VisualQualityDiscriminator
from lipsync_core.models.wav2lip import Wav2Lip

__all__ = [
    "LipGANDiscriminator",
    "LipGANGenerator",
    "LipSyncExpert",
    "Speech2Vid",
    "SyncNet",
    "VisualQualityDiscriminator",
    "Wav2Lip",
]
