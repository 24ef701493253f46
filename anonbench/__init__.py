"""anonbench: what does anonymizing people cost a computer-vision model, and what privacy does it buy?"""

__version__ = "0.1.0"
