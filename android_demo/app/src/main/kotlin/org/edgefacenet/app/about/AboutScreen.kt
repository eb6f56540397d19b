package org.edgefacenet.app.about

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.RadioButton
import android.widget.RadioGroup
import android.widget.TextView
import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Settings
import org.edgefacenet.app.ui.Screen
import org.edgefacenet.app.ui.part
import org.edgefacenet.app.ui.say

/** The page with the one setting there is, and with what is known of the model. */
class AboutScreen(parent: ViewGroup, sections: List<Section>, settings: Settings) : Screen {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.screen_about, parent, false)

    init {
        choices(view.part(R.id.fpir), settings)
        val page = view.part<LinearLayout>(R.id.about)
        for (section in sections) {
            add(page, R.layout.heading).setText(section.title)
            section.lines.forEach { add(page, R.layout.paragraph).say(it) }
        }
    }

    override fun start() = Unit

    override fun stop() = Unit

    private fun choices(group: RadioGroup, settings: Settings) {
        for ((rate, text) in RATES) {
            val button = LayoutInflater.from(view.context).inflate(R.layout.radio, group, false) as RadioButton
            button.id = View.generateViewId()
            button.setText(text)
            group.addView(button)
            button.isChecked = settings.fpir == rate
            button.setOnClickListener { settings.fpir = rate }
        }
    }

    private fun add(page: LinearLayout, layout: Int): TextView =
        (LayoutInflater.from(view.context).inflate(layout, page, false) as TextView).also(page::addView)

    private companion object {
        val RATES = listOf(0.001 to R.string.settings_careful, 0.01 to R.string.settings_usual, 0.05 to R.string.settings_generous)
    }
}
