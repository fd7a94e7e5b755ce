from pathlib import Path
def load_expert(path): raise NotImplementedError
