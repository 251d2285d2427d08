"""Trained models in plain numpy: their files, their tokenizers, and forward passes that show the scores q.k."""

from .bert import Bert, BertShape
from .files import load
from .layer import LayerPass
from .llama import Llama, LlamaShape

__all__ = ["Bert", "BertShape", "LayerPass", "Llama", "LlamaShape", "load"]
