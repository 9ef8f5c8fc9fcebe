"""The money: its rules, its order, its memory and its proof."""
