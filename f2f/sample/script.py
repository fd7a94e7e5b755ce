"""What the sample lecturer says, in three languages. Written for this project; MIT as everything here.

The sentences of all languages correspond one to one, fit two caption lines, and the translations, spoken by
the embedded voices, fit the English sentence and the pause after it without being hurried.
"""

from __future__ import annotations

LINES: tuple[dict[str, str], ...] = (
    {
        "en": "Hello, and welcome to this short lecture about starlight.",
        "hi": "नमस्ते, तारों की रोशनी पर इस छोटे से व्याख्यान में आपका स्वागत है।",
        "es": "Hola, y bienvenidos a esta breve charla sobre la luz de las estrellas.",
    },
    {
        "en": "Light is fast, yet space is so large that it needs time to reach us.",
        "hi": "प्रकाश बहुत तेज़ है, पर अंतरिक्ष इतना विशाल है कि उसे हम तक आने में समय लगता है।",
        "es": "La luz es rápida, pero el espacio es tan grande que tarda en llegar a nosotros.",
    },
    {
        "en": "Light from the Sun arrives after eight minutes.",
        "hi": "सूर्य का प्रकाश आठ मिनट में यहाँ पहुँचता है।",
        "es": "La luz del Sol tarda ocho minutos en llegar.",
    },
    {
        "en": "From the nearest star, it travels for more than four years.",
        "hi": "सबसे नज़दीकी तारे से आने में उसे चार साल से ज़्यादा लगते हैं।",
        "es": "La de la estrella más cercana viaja durante más de cuatro años.",
    },
    {
        "en": "So when you look up at night, you look into the past.",
        "hi": "इसलिए रात को जब आप ऊपर देखते हैं, तो अतीत को देखते हैं।",
        "es": "Así que, cuando miramos el cielo de noche, miramos el pasado.",
    },
    {
        "en": "Thank you for listening.",
        "hi": "सुनने के लिए धन्यवाद।",
        "es": "Muchas gracias por escucharme.",
    },
)
LANGUAGES = ("en", "hi", "es")
SLIDE_LINES = (2, 3)
"""First and last line that are spoken while the slide is shown."""
SLIDE_TITLE = "How old is starlight?"
SLIDE_FACTS = (("the Sun", "8 minutes"), ("the nearest star", "4.2 years"))
