"""Engines that stages choose from: speech recognition, machine translation, speech synthesis."""
